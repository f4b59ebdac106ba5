-- The callback that has waited longest.
-- in:  domain_uuid uuid, state text (empty: any that waits)
-- out: every field, as text
select callback_uuid,
       number,
       coalesce(extension_uuid::text, '') as extension_uuid,
       coalesce(description, '') as description,
       state
  from plugin_callbacks.callback
 where domain_uuid = %(domain_uuid)s
   and state in ('open', 'late')
   and %(state)s in ('', state)
 order by insert_date
 limit 1
