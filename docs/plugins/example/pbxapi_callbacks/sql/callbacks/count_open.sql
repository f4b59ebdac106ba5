-- How many callbacks of a domain are open.
-- in:  domain_uuid uuid
-- out: open int
select count(*) as open from plugin_callbacks.callback
 where domain_uuid = %(domain_uuid)s and state in ('open', 'late')
