-- A key that a caller can press while the greeting plays.
-- in:  domain_uuid uuid, voicemail_uuid uuid, voicemail_option_uuid uuid, the columns as text
insert into v_voicemail_options (
  voicemail_option_uuid,
  domain_uuid,
  voicemail_uuid,
  voicemail_option_digits,
  voicemail_option_action,
  voicemail_option_param,
  voicemail_option_order,
  voicemail_option_description,
  insert_date
) values (
  %(voicemail_option_uuid)s,
  %(domain_uuid)s,
  %(voicemail_uuid)s,
  %(voicemail_option_digits)s,
  %(voicemail_option_action)s,
  %(voicemail_option_param)s,
  %(voicemail_option_order)s,
  %(voicemail_option_description)s,
  now()
)
