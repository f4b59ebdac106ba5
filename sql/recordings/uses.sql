-- What in a domain names a recording by its file.
-- in:  domain_uuid uuid, filename text
-- out: what text (a noun), name text
-- index: v_ivr_menus, v_ring_groups, v_call_flows (domain_uuid)
select 'IVR menu' as what, coalesce(ivr_menu_name, '') as name
  from v_ivr_menus
 where domain_uuid = %(domain_uuid)s
   and %(filename)s in (ivr_menu_greet_long, ivr_menu_greet_short, ivr_menu_invalid_sound, ivr_menu_exit_sound)
 union all
select 'ring group', coalesce(ring_group_name, '')
  from v_ring_groups
 where domain_uuid = %(domain_uuid)s and ring_group_greeting = %(filename)s
 union all
select 'call flow', coalesce(call_flow_name, '')
  from v_call_flows
 where domain_uuid = %(domain_uuid)s and %(filename)s in (call_flow_sound, call_flow_alternate_sound)
 limit 20
