-- A new callback.
-- in:  domain_uuid uuid, callback_uuid uuid, the columns as text
insert into plugin_callbacks.callback (callback_uuid, domain_uuid, number, extension_uuid, description)
values (%(callback_uuid)s, %(domain_uuid)s, %(number)s, %(extension_uuid)s, %(description)s)
