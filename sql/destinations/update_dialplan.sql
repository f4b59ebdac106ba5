-- The dialplan that a destination owns; what the destination does not say stays.
-- in:  domain_uuid uuid, dialplan_uuid uuid, app_uuid uuid, the columns as text; dialplan_xml null to keep it
update v_dialplans
   set app_uuid = %(app_uuid)s,
       dialplan_context = %(dialplan_context)s,
       dialplan_name = %(dialplan_name)s,
       dialplan_number = %(dialplan_number)s,
       dialplan_continue = 'false',
       dialplan_xml = coalesce(%(dialplan_xml)s, dialplan_xml),
       dialplan_order = %(dialplan_order)s,
       dialplan_enabled = %(dialplan_enabled)s,
       dialplan_description = %(dialplan_description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and dialplan_uuid = %(dialplan_uuid)s
