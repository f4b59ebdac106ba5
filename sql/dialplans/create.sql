-- A new dialplan.
-- in:  domain_uuid uuid, dialplan_uuid uuid, app_uuid uuid, the columns as text
insert into v_dialplans (
  dialplan_uuid,
  domain_uuid,
  app_uuid,
  hostname,
  dialplan_context,
  dialplan_name,
  dialplan_number,
  dialplan_destination,
  dialplan_continue,
  dialplan_xml,
  dialplan_order,
  dialplan_enabled,
  dialplan_description,
  insert_date
) values (
  %(dialplan_uuid)s,
  %(domain_uuid)s,
  %(app_uuid)s,
  %(hostname)s,
  %(dialplan_context)s,
  %(dialplan_name)s,
  %(dialplan_number)s,
  %(dialplan_destination)s,
  %(dialplan_continue)s,
  %(dialplan_xml)s,
  %(dialplan_order)s,
  %(dialplan_enabled)s,
  %(dialplan_description)s,
  now()
)
