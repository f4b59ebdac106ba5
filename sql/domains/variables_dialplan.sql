-- The dialplan that sets the domain's variables, the time zone among them.
-- in:  domain_uuid uuid
-- out: dialplan_uuid, context
-- index: v_dialplans (domain_uuid)
select dialplan_uuid, coalesce(dialplan_context, '') as context
  from v_dialplans
 where domain_uuid = %(domain_uuid)s and app_uuid = '9f356fe7-8cf8-4c14-8fe2-6daf89304458'
