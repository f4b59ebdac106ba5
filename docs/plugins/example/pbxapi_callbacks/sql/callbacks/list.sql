-- Callbacks of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, and insert_date for the order
select callback_uuid,
       number,
       coalesce(description, '') as description,
       state,
       insert_date
  from plugin_callbacks.callback
 where domain_uuid = %(domain_uuid)s
