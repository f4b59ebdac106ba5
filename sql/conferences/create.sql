-- A new conference.
-- in:  domain_uuid uuid, conference_uuid uuid, dialplan_uuid uuid, the columns as text
insert into v_conferences (
  conference_uuid,
  domain_uuid,
  dialplan_uuid,
  conference_name,
  conference_extension,
  conference_pin_number,
  conference_profile,
  conference_flags,
  conference_email_address,  --? v_conferences.conference_email_address
  conference_account_code,  --? v_conferences.conference_account_code
  conference_order,
  conference_context,  --? v_conferences.conference_context
  conference_enabled,
  conference_description,
  insert_date
) values (
  %(conference_uuid)s,
  %(domain_uuid)s,
  %(dialplan_uuid)s,
  %(conference_name)s,
  %(conference_extension)s,
  %(conference_pin_number)s,
  %(conference_profile)s,
  %(conference_flags)s,
  %(conference_email_address)s,  --? v_conferences.conference_email_address
  %(conference_account_code)s,  --? v_conferences.conference_account_code
  %(conference_order)s,
  %(conference_context)s,  --? v_conferences.conference_context
  %(conference_enabled)s,
  %(conference_description)s,
  now()
)
