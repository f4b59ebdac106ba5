-- A box follows the number of its extension, and its greetings with it.
-- in:  domain_uuid uuid, voicemail_uuid uuid, old_id text, voicemail_id text
with greetings as (
  update v_voicemail_greetings set voicemail_id = %(voicemail_id)s, update_date = now()
   where domain_uuid = %(domain_uuid)s and voicemail_id = %(old_id)s
)
update v_voicemails set voicemail_id = %(voicemail_id)s, update_date = now()
 where domain_uuid = %(domain_uuid)s and voicemail_uuid = %(voicemail_uuid)s
