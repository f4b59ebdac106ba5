-- All plain columns of a destination; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, destination_uuid uuid, the columns as text
update v_destinations
   set destination_type = %(destination_type)s,
       destination_number = %(destination_number)s,
       destination_prefix = %(destination_prefix)s,
       destination_context = %(destination_context)s,
       destination_enabled = %(destination_enabled)s,
       destination_description = %(destination_description)s,
       destination_order = %(destination_order)s,
       dialplan_uuid = %(dialplan_uuid)s,
       destination_trunk_prefix = %(destination_trunk_prefix)s,  --? v_destinations.destination_trunk_prefix
       destination_area_code = %(destination_area_code)s,  --? v_destinations.destination_area_code
       destination_condition_field = %(destination_condition_field)s,  --? v_destinations.destination_condition_field
       destination_number_regex = %(destination_number_regex)s,
       destination_caller_id_name = %(destination_caller_id_name)s,
       destination_caller_id_number = %(destination_caller_id_number)s,
       destination_cid_name_prefix = %(destination_cid_name_prefix)s,
       destination_record = %(destination_record)s,
       destination_hold_music = %(destination_hold_music)s,  --? v_destinations.destination_hold_music
       destination_distinctive_ring = %(destination_distinctive_ring)s,  --? v_destinations.destination_distinctive_ring
       destination_ringback = %(destination_ringback)s,  --? v_destinations.destination_ringback
       destination_accountcode = %(destination_accountcode)s,
       destination_type_voice = case when %(destination_type_voice)s::text = 'true' then 1 end,
       destination_type_fax = case when %(destination_type_fax)s::text = 'true' then 1 end,
       destination_type_text = case when %(destination_type_text)s::text = 'true' then 1 end,  --? v_destinations.destination_type_text
       destination_type_emergency = case when %(destination_type_emergency)s::text = 'true' then 1 end,  --? v_destinations.destination_type_emergency
       destination_email = %(destination_email)s,  --? v_destinations.destination_email
       destination_app = %(destination_app)s,
       destination_data = %(destination_data)s,
       destination_alternate_app = %(destination_alternate_app)s,
       destination_alternate_data = %(destination_alternate_data)s,
       fax_uuid = %(fax_uuid)s,
       user_uuid = %(user_uuid)s,  --? v_destinations.user_uuid
       group_uuid = %(group_uuid)s,  --? v_destinations.group_uuid
       provider_uuid = %(provider_uuid)s,  --? v_destinations.provider_uuid
       update_date = now()
 where domain_uuid = %(domain_uuid)s and destination_uuid = %(destination_uuid)s
