-- An attempt at a callback.
-- in:  domain_uuid uuid, callback_uuid uuid, attempt_uuid uuid, outcome text
insert into plugin_callbacks.attempt (attempt_uuid, domain_uuid, callback_uuid, outcome)
values (%(attempt_uuid)s, %(domain_uuid)s, %(callback_uuid)s, %(outcome)s)
