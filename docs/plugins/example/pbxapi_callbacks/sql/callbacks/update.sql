-- What may be changed of a callback.
-- in:  domain_uuid uuid, callback_uuid uuid, the columns as text
update plugin_callbacks.callback
   set number = %(number)s,
       extension_uuid = %(extension_uuid)s,
       description = %(description)s
 where domain_uuid = %(domain_uuid)s and callback_uuid = %(callback_uuid)s
