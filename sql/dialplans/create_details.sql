-- The details of a dialplan, in one statement.
-- in:  domain_uuid uuid, dialplan_uuid uuid, details jsonb: a list of objects, keys as the columns, texts or null
insert into v_dialplan_details (
  dialplan_detail_uuid,
  domain_uuid,
  dialplan_uuid,
  dialplan_detail_tag,
  dialplan_detail_type,
  dialplan_detail_data,
  dialplan_detail_break,
  dialplan_detail_inline,
  dialplan_detail_group,
  dialplan_detail_order,
  dialplan_detail_enabled,
  insert_date
)
select r.dialplan_detail_uuid,
       %(domain_uuid)s,
       %(dialplan_uuid)s,
       r.dialplan_detail_tag,
       r.dialplan_detail_type,
       r.dialplan_detail_data,
       r.dialplan_detail_break,
       r.dialplan_detail_inline,
       r.dialplan_detail_group,
       r.dialplan_detail_order,
       r.dialplan_detail_enabled,
       now()
  from jsonb_populate_recordset(null::v_dialplan_details, %(details)s::jsonb) as r
