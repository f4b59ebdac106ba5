-- All columns of a dialplan; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, dialplan_uuid uuid, app_uuid uuid, the columns as text
update v_dialplans
   set app_uuid = %(app_uuid)s,
       hostname = %(hostname)s,
       dialplan_context = %(dialplan_context)s,
       dialplan_name = %(dialplan_name)s,
       dialplan_number = %(dialplan_number)s,
       dialplan_destination = %(dialplan_destination)s,
       dialplan_continue = %(dialplan_continue)s,
       dialplan_xml = %(dialplan_xml)s,
       dialplan_order = %(dialplan_order)s,
       dialplan_enabled = %(dialplan_enabled)s,
       dialplan_description = %(dialplan_description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and dialplan_uuid = %(dialplan_uuid)s
