-- A callback goes, with its attempts.
-- in:  domain_uuid uuid, callback_uuid uuid
delete from plugin_callbacks.callback where domain_uuid = %(domain_uuid)s and callback_uuid = %(callback_uuid)s
