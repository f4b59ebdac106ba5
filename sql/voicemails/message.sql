-- One message of a box, with its sound where the database holds it (setting voicemail/storage_type).
-- in:  domain_uuid uuid, voicemail_uuid uuid, voicemail_message_uuid uuid
-- out: voicemail_message_uuid, message_base64 ('' where the sound is a file)
-- index: primary key
select m.voicemail_message_uuid, coalesce(m.message_base64, '') as message_base64
  from v_voicemail_messages as m
 where m.domain_uuid = %(domain_uuid)s and m.voicemail_uuid = %(voicemail_uuid)s
   and m.voicemail_message_uuid = %(voicemail_message_uuid)s
   and coalesce(m.message_status, '') <> 'deleted'
