-- What in a domain has a number that can be dialled, other than one record of our own.
-- in:  domain_uuid uuid, number text, own uuid or null (the record that may keep its number)
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
) as number
 where %(own)s::uuid is null or uuid <> %(own)s
 limit 1
