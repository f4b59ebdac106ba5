-- What in a domain has numbers that can be dialled, other than one record of our own.
-- in:  domain_uuid uuid, domain_name text, numbers text[], own uuid or null (the record that may keep its number)
-- out: number text, what text, the noun for the message; a number that is free has no row, one may have several
-- index: v_extensions (domain_uuid, extension) and (domain_uuid, number_alias), recommended by doctor
select number, what from (
  select extension as number, 'Extension' as what, extension_uuid as uuid from v_extensions
   where domain_uuid = %(domain_uuid)s and extension = any(%(numbers)s)
  union all
  select number_alias, 'Extension', extension_uuid from v_extensions
   where domain_uuid = %(domain_uuid)s and number_alias = any(%(numbers)s)
  union all
  select ring_group_extension, 'Ring group', ring_group_uuid from v_ring_groups
   where domain_uuid = %(domain_uuid)s and ring_group_extension = any(%(numbers)s)
  union all
  select ivr_menu_extension, 'IVR menu', ivr_menu_uuid from v_ivr_menus
   where domain_uuid = %(domain_uuid)s and ivr_menu_extension = any(%(numbers)s)
  union all
  select queue_extension, 'Call center queue', call_center_queue_uuid from v_call_center_queues
   where domain_uuid = %(domain_uuid)s and queue_extension = any(%(numbers)s)
  union all
  select call_flow_extension, 'Call flow', call_flow_uuid from v_call_flows
   where domain_uuid = %(domain_uuid)s and call_flow_extension = any(%(numbers)s)
  union all
  select call_flow_feature_code, 'Call flow', call_flow_uuid from v_call_flows
   where domain_uuid = %(domain_uuid)s and call_flow_feature_code = any(%(numbers)s)
  union all
  select conference_extension, 'Conference', conference_uuid from v_conferences
   where domain_uuid = %(domain_uuid)s and conference_extension = any(%(numbers)s)
  union all
  select conference_center_extension, 'Conference center', conference_center_uuid from v_conference_centers
   where domain_uuid = %(domain_uuid)s and conference_center_extension = any(%(numbers)s)
  union all
  select fax_extension, 'Fax', fax_uuid from v_fax
   where domain_uuid = %(domain_uuid)s and fax_extension = any(%(numbers)s)
  union all
  select dialplan_number, 'Time condition', dialplan_uuid from v_dialplans
   where domain_uuid = %(domain_uuid)s and dialplan_number = any(%(numbers)s)
     and app_uuid in ('4b821450-926b-175a-af93-a03c441818b1', '4b821450-926b-175a-af93-a03c441f8c30')
  union all
  -- FusionPBX's own codes, such as *98, and *99[ext], where digits stand for the brackets.
  select asked.number, 'Dialplan', d.dialplan_uuid
    from v_dialplans as d
    join unnest(%(numbers)s::text[]) as asked (number)
      on d.dialplan_number = asked.number
      or (position('[' in d.dialplan_number) > 1
          and left(d.dialplan_number, 1) in ('*', '#')
          and starts_with(asked.number, split_part(d.dialplan_number, '[', 1))
          and length(asked.number) >= position('[' in d.dialplan_number)
          and translate(substr(asked.number, position('[' in d.dialplan_number)), '0123456789', '') = '')
   where (d.domain_uuid = %(domain_uuid)s or d.domain_uuid is null)
     and d.dialplan_context in (%(domain_name)s, 'global', '${domain_name}')
     and d.dialplan_enabled::text = 'true'
     and (d.app_uuid is null or d.app_uuid not in (
           '1d61fb65-1eec-bc73-a6ee-a6203b4fe6f2', 'a5788e9b-58bc-bd1b-df59-fff5d51253ab',
           '95788e50-9500-079e-2807-fd530b0ea370', 'b1b70f85-6b42-429b-8c5a-60c8b02b7d14',
           'b81412e8-7253-91f4-e48e-42fc2c9a38d9', '24108154-4ac3-1db6-1551-4731703a4440',
           '4b821450-926b-175a-af93-a03c441818b1', '4b821450-926b-175a-af93-a03c441f8c30'))
) as number
 where %(own)s::uuid is null or uuid <> %(own)s
