-- The destinations of a ring group, in one statement.
-- in:  domain_uuid uuid, ring_group_uuid uuid, rows jsonb: a list of objects, keys as the columns, texts or null
insert into v_ring_group_destinations (
  ring_group_destination_uuid,
  destination_number,
  destination_delay,
  destination_timeout,
  destination_prompt,
  destination_enabled,
  destination_description,
  ring_group_uuid,
  domain_uuid,
  insert_date
)
select r.ring_group_destination_uuid,
       r.destination_number,
       r.destination_delay,
       r.destination_timeout,
       r.destination_prompt,
       r.destination_enabled,
       r.destination_description,
       %(ring_group_uuid)s,
       %(domain_uuid)s,
       now()
  from jsonb_populate_recordset(null::v_ring_group_destinations, %(rows)s::jsonb) as r
