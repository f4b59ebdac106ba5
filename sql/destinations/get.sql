-- One destination.
-- in:  domain_uuid uuid, destination_uuid uuid
-- out: the columns as text, flags and the marks of what it is for (1 or nothing) as "true"/"false"; dialplan_name of
--      the dialplan that it owns; destination_actions json, from the older columns where there is no list;
--      destination_conditions json
-- index: primary keys
select d.destination_uuid,
       coalesce(d.destination_type, '') as destination_type,
       coalesce(d.destination_number, '') as destination_number,
       coalesce(d.destination_prefix, '') as destination_prefix,
       coalesce(d.destination_context, '') as destination_context,
       coalesce(d.destination_enabled::text, 'false') as destination_enabled,
       coalesce(d.destination_description, '') as destination_description,
       coalesce(d.destination_order::text, '') as destination_order,
       coalesce(d.dialplan_uuid::text, '') as dialplan_uuid,
       coalesce(d.destination_trunk_prefix, '') as destination_trunk_prefix,  --? v_destinations.destination_trunk_prefix
       coalesce(d.destination_area_code, '') as destination_area_code,  --? v_destinations.destination_area_code
       coalesce(d.destination_condition_field, '') as destination_condition_field,  --? v_destinations.destination_condition_field
       coalesce(d.destination_number_regex, '') as destination_number_regex,
       coalesce(d.destination_caller_id_name, '') as destination_caller_id_name,
       coalesce(d.destination_caller_id_number, '') as destination_caller_id_number,
       coalesce(d.destination_cid_name_prefix, '') as destination_cid_name_prefix,
       coalesce(d.destination_record::text, 'false') as destination_record,
       coalesce(d.destination_hold_music, '') as destination_hold_music,  --? v_destinations.destination_hold_music
       coalesce(d.destination_distinctive_ring, '') as destination_distinctive_ring,  --? v_destinations.destination_distinctive_ring
       coalesce(d.destination_ringback, '') as destination_ringback,  --? v_destinations.destination_ringback
       coalesce(d.destination_accountcode, '') as destination_accountcode,
       case when d.destination_type_voice = 1 then 'true' else 'false' end as destination_type_voice,
       case when d.destination_type_fax = 1 then 'true' else 'false' end as destination_type_fax,
       case when d.destination_type_text = 1 then 'true' else 'false' end as destination_type_text,  --? v_destinations.destination_type_text
       case when d.destination_type_emergency = 1 then 'true' else 'false' end as destination_type_emergency,  --? v_destinations.destination_type_emergency
       coalesce(d.destination_email::text, 'false') as destination_email,  --? v_destinations.destination_email
       coalesce(d.destination_app, '') as destination_app,
       coalesce(d.destination_data, '') as destination_data,
       coalesce(d.destination_alternate_app, '') as destination_alternate_app,
       coalesce(d.destination_alternate_data, '') as destination_alternate_data,
       coalesce(d.fax_uuid::text, '') as fax_uuid,
       coalesce(d.user_uuid::text, '') as user_uuid,  --? v_destinations.user_uuid
       coalesce(d.group_uuid::text, '') as group_uuid,  --? v_destinations.group_uuid
       coalesce(d.provider_uuid::text, '') as provider_uuid,  --? v_destinations.provider_uuid
       case when json_typeof(d.destination_actions) = 'array' then
              (select coalesce(
                        json_agg(json_build_object(
                          'destination_app', coalesce(a.value ->> 'destination_app', ''),
                          'destination_data', coalesce(a.value ->> 'destination_data', ''))),
                        '[]')
                 from json_array_elements(d.destination_actions) as a)
            else
              (select coalesce(
                        json_agg(json_build_object('destination_app', a.app, 'destination_data', coalesce(a.data, ''))
                                 order by a.place),
                        '[]')
                 from (values (1, d.destination_app, d.destination_data),
                              (2, d.destination_alternate_app, d.destination_alternate_data)) as a (place, app, data)
                where a.app <> '')
            end as destination_actions,
       case when json_typeof(d.destination_conditions) = 'array' then
              (select coalesce(
                        json_agg(json_build_object(
                          'condition_field', coalesce(c.value ->> 'condition_field', ''),
                          'condition_expression', coalesce(c.value ->> 'condition_expression', ''),
                          'condition_app', coalesce(c.value ->> 'condition_app', ''),
                          'condition_data', coalesce(c.value ->> 'condition_data', ''),
                          'condition_description', coalesce(c.value ->> 'condition_description', ''))),
                        '[]')
                 from json_array_elements(d.destination_conditions) as c)
            else '[]'
            end as destination_conditions,
       coalesce(p.dialplan_name, '') as dialplan_name
  from v_destinations as d
  left join v_dialplans as p on p.dialplan_uuid = d.dialplan_uuid and p.domain_uuid = d.domain_uuid
 where d.domain_uuid = %(domain_uuid)s and d.destination_uuid = %(destination_uuid)s
