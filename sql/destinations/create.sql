-- A new destination; its lists and its dialplan follow.
-- in:  domain_uuid uuid, destination_uuid uuid, the columns as text
insert into v_destinations (
  destination_uuid,
  domain_uuid,
  destination_type,
  destination_number,
  destination_prefix,
  destination_context,
  destination_enabled,
  destination_description,
  destination_order,
  dialplan_uuid,
  destination_trunk_prefix,  --? v_destinations.destination_trunk_prefix
  destination_area_code,  --? v_destinations.destination_area_code
  destination_condition_field,  --? v_destinations.destination_condition_field
  destination_number_regex,
  destination_caller_id_name,
  destination_caller_id_number,
  destination_cid_name_prefix,
  destination_record,
  destination_hold_music,  --? v_destinations.destination_hold_music
  destination_distinctive_ring,  --? v_destinations.destination_distinctive_ring
  destination_ringback,  --? v_destinations.destination_ringback
  destination_accountcode,
  destination_type_voice,
  destination_type_fax,
  destination_type_text,  --? v_destinations.destination_type_text
  destination_type_emergency,  --? v_destinations.destination_type_emergency
  destination_email,  --? v_destinations.destination_email
  destination_app,
  destination_data,
  destination_alternate_app,
  destination_alternate_data,
  fax_uuid,
  user_uuid,  --? v_destinations.user_uuid
  group_uuid,  --? v_destinations.group_uuid
  provider_uuid,  --? v_destinations.provider_uuid
  insert_date
) values (
  %(destination_uuid)s,
  %(domain_uuid)s,
  %(destination_type)s,
  %(destination_number)s,
  %(destination_prefix)s,
  %(destination_context)s,
  %(destination_enabled)s,
  %(destination_description)s,
  %(destination_order)s,
  %(dialplan_uuid)s,
  %(destination_trunk_prefix)s,  --? v_destinations.destination_trunk_prefix
  %(destination_area_code)s,  --? v_destinations.destination_area_code
  %(destination_condition_field)s,  --? v_destinations.destination_condition_field
  %(destination_number_regex)s,
  %(destination_caller_id_name)s,
  %(destination_caller_id_number)s,
  %(destination_cid_name_prefix)s,
  %(destination_record)s,
  %(destination_hold_music)s,  --? v_destinations.destination_hold_music
  %(destination_distinctive_ring)s,  --? v_destinations.destination_distinctive_ring
  %(destination_ringback)s,  --? v_destinations.destination_ringback
  %(destination_accountcode)s,
  case when %(destination_type_voice)s::text = 'true' then 1 end,
  case when %(destination_type_fax)s::text = 'true' then 1 end,
  case when %(destination_type_text)s::text = 'true' then 1 end,  --? v_destinations.destination_type_text
  case when %(destination_type_emergency)s::text = 'true' then 1 end,  --? v_destinations.destination_type_emergency
  %(destination_email)s,  --? v_destinations.destination_email
  %(destination_app)s,
  %(destination_data)s,
  %(destination_alternate_app)s,
  %(destination_alternate_data)s,
  %(fax_uuid)s,
  %(user_uuid)s,  --? v_destinations.user_uuid
  %(group_uuid)s,  --? v_destinations.group_uuid
  %(provider_uuid)s,  --? v_destinations.provider_uuid
  now()
)
