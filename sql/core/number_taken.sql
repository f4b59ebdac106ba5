-- What in a domain has a number that can be dialled, other than one record of our own.
-- in:  domain_uuid uuid, domain_name text, number text, own uuid or null (the record that may keep its number)
-- out: what text, the noun for the message; at most one row
-- index: v_extensions (domain_uuid, extension) and (domain_uuid, number_alias), recommended by doctor
select what from (
  select 'Extension' as what, extension_uuid as uuid from v_extensions
   where domain_uuid = %(domain_uuid)s and extension = %(number)s
  union all
  select 'Extension', extension_uuid from v_extensions
   where domain_uuid = %(domain_uuid)s and number_alias = %(number)s
  union all
  select 'Ring group', ring_group_uuid from v_ring_groups
   where domain_uuid = %(domain_uuid)s and ring_group_extension = %(number)s
  union all
  select 'IVR menu', ivr_menu_uuid from v_ivr_menus
   where domain_uuid = %(domain_uuid)s and ivr_menu_extension = %(number)s
  union all
  select 'Call center queue', call_center_queue_uuid from v_call_center_queues
   where domain_uuid = %(domain_uuid)s and queue_extension = %(number)s
  union all
  select 'Call flow', call_flow_uuid from v_call_flows
   where domain_uuid = %(domain_uuid)s and (call_flow_extension = %(number)s or call_flow_feature_code = %(number)s)
  union all
  select 'Conference', conference_uuid from v_conferences
   where domain_uuid = %(domain_uuid)s and conference_extension = %(number)s
  union all
  select 'Conference center', conference_center_uuid from v_conference_centers
   where domain_uuid = %(domain_uuid)s and conference_center_extension = %(number)s
  union all
  select 'Fax', fax_uuid from v_fax
   where domain_uuid = %(domain_uuid)s and fax_extension = %(number)s
  union all
  select 'Time condition', dialplan_uuid from v_dialplans
   where domain_uuid = %(domain_uuid)s and dialplan_number = %(number)s
     and app_uuid in ('4b821450-926b-175a-af93-a03c441818b1', '4b821450-926b-175a-af93-a03c441f8c30')
  union all
  -- FusionPBX's own codes, such as *98, and *99[ext], where digits stand for the brackets.
  select 'Dialplan', dialplan_uuid from v_dialplans
   where (domain_uuid = %(domain_uuid)s or domain_uuid is null)
     and dialplan_context in (%(domain_name)s, 'global', '${domain_name}')
     and dialplan_enabled::text = 'true'
     and (app_uuid is null or app_uuid not in (
           '1d61fb65-1eec-bc73-a6ee-a6203b4fe6f2', 'a5788e9b-58bc-bd1b-df59-fff5d51253ab',
           '95788e50-9500-079e-2807-fd530b0ea370', 'b1b70f85-6b42-429b-8c5a-60c8b02b7d14',
           'b81412e8-7253-91f4-e48e-42fc2c9a38d9', '24108154-4ac3-1db6-1551-4731703a4440',
           '4b821450-926b-175a-af93-a03c441818b1', '4b821450-926b-175a-af93-a03c441f8c30'))
     and (dialplan_number = %(number)s
          or (position('[' in dialplan_number) > 1
              and left(dialplan_number, 1) in ('*', '#')
              and starts_with(%(number)s, split_part(dialplan_number, '[', 1))
              and length(%(number)s) >= position('[' in dialplan_number)
              and translate(substr(%(number)s, position('[' in dialplan_number)), '0123456789', '') = ''))
) as number
 where %(own)s::uuid is null or uuid <> %(own)s
 limit 1
