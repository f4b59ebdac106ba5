-- What belongs to a box goes: messages, options, copies to and from other boxes, greetings.
-- in:  domain_uuid uuid, voicemail_uuid uuid, voicemail_id text
with messages as (
  delete from v_voicemail_messages
   where domain_uuid = %(domain_uuid)s and voicemail_uuid = %(voicemail_uuid)s
), options as (
  delete from v_voicemail_options
   where domain_uuid = %(domain_uuid)s and voicemail_uuid = %(voicemail_uuid)s
), destinations as (
  delete from v_voicemail_destinations
   where domain_uuid = %(domain_uuid)s
     and (voicemail_uuid = %(voicemail_uuid)s or voicemail_uuid_copy = %(voicemail_uuid)s)
)
delete from v_voicemail_greetings
 where domain_uuid = %(domain_uuid)s and voicemail_id = %(voicemail_id)s
