-- Another box that gets a copy of every message.
-- in:  domain_uuid uuid, voicemail_uuid uuid, voicemail_destination_uuid uuid, voicemail_uuid_copy uuid
insert into v_voicemail_destinations (
  voicemail_destination_uuid,
  domain_uuid,
  voicemail_uuid,
  voicemail_uuid_copy,
  insert_date
) values (
  %(voicemail_destination_uuid)s,
  %(domain_uuid)s,
  %(voicemail_uuid)s,
  %(voicemail_uuid_copy)s,
  now()
)
