-- Boxes of a domain with their new messages, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, flags as "true"/"false"
-- index: v_voicemails (domain_uuid), v_voicemail_messages (voicemail_uuid)
select v.voicemail_uuid,
       coalesce(v.voicemail_id, '') as voicemail_id,
       coalesce(v.voicemail_enabled::text, 'false') as voicemail_enabled,
       coalesce(v.voicemail_mail_to, '') as voicemail_mail_to,
       coalesce(v.voicemail_description, '') as voicemail_description,
       (select count(*) from v_voicemail_messages as m
         where m.domain_uuid = %(domain_uuid)s and m.voicemail_uuid = v.voicemail_uuid
           and coalesce(m.message_status, '') = '') as new_message_count
  from v_voicemails as v
 where v.domain_uuid = %(domain_uuid)s
