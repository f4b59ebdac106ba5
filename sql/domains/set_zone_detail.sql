-- The action that sets the time zone, in the dialplan of the domain's variables.
-- in:  domain_uuid uuid, dialplan_uuid uuid, dialplan_detail_uuid uuid (new), time_zone text
with changed as (
  update v_dialplan_details
     set dialplan_detail_data = 'timezone=' || %(time_zone)s, update_date = now()
   where domain_uuid = %(domain_uuid)s and dialplan_uuid = %(dialplan_uuid)s
     and dialplan_detail_tag = 'action' and dialplan_detail_type = 'set'
     and dialplan_detail_data like 'timezone=%%'
  returning 1
)
insert into v_dialplan_details (
  dialplan_detail_uuid,
  domain_uuid,
  dialplan_uuid,
  dialplan_detail_tag,
  dialplan_detail_type,
  dialplan_detail_data,
  dialplan_detail_inline,
  dialplan_detail_group,
  dialplan_detail_order,
  dialplan_detail_enabled,
  insert_date
)
select %(dialplan_detail_uuid)s::uuid,
       %(domain_uuid)s::uuid,
       %(dialplan_uuid)s::uuid,
       'action',
       'set',
       'timezone=' || %(time_zone)s,
       'true',
       0,
       20,
       'true',
       now()
 where not exists (select from changed)
