-- One callback.
-- in:  domain_uuid uuid, callback_uuid uuid
-- out: every field, as text
select callback_uuid,
       number,
       coalesce(extension_uuid::text, '') as extension_uuid,
       coalesce(description, '') as description,
       state
  from plugin_callbacks.callback
 where domain_uuid = %(domain_uuid)s and callback_uuid = %(callback_uuid)s
