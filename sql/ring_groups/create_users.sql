-- The users of a ring group, in one statement.
-- in:  domain_uuid uuid, ring_group_uuid uuid, rows jsonb: a list of objects, keys as the columns, texts or null
insert into v_ring_group_users (
  ring_group_user_uuid,
  user_uuid,
  ring_group_uuid,
  domain_uuid,
  insert_date
)
select r.ring_group_user_uuid,
       r.user_uuid,
       %(ring_group_uuid)s,
       %(domain_uuid)s,
       now()
  from jsonb_populate_recordset(null::v_ring_group_users, %(rows)s::jsonb) as r
