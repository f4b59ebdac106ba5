-- All columns of a conference; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, conference_uuid uuid, dialplan_uuid uuid, the columns as text
update v_conferences
   set dialplan_uuid = %(dialplan_uuid)s,
       conference_name = %(conference_name)s,
       conference_extension = %(conference_extension)s,
       conference_pin_number = %(conference_pin_number)s,
       conference_profile = %(conference_profile)s,
       conference_flags = %(conference_flags)s,
       conference_email_address = %(conference_email_address)s,  --? v_conferences.conference_email_address
       conference_account_code = %(conference_account_code)s,  --? v_conferences.conference_account_code
       conference_order = %(conference_order)s,
       conference_context = %(conference_context)s,  --? v_conferences.conference_context
       conference_enabled = %(conference_enabled)s,
       conference_description = %(conference_description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and conference_uuid = %(conference_uuid)s
