-- A callback comes to its end.
-- in:  domain_uuid uuid, callback_uuid uuid, state text
update plugin_callbacks.callback set state = %(state)s
 where domain_uuid = %(domain_uuid)s and callback_uuid = %(callback_uuid)s
