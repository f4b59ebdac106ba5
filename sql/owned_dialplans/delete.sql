-- The dialplan that a record owned goes, with the details that somebody may have given it.
-- in:  domain_uuid uuid, dialplan_uuid uuid
with details as (
  delete from v_dialplan_details
   where dialplan_uuid = %(dialplan_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
)
delete from v_dialplans where domain_uuid = %(domain_uuid)s and dialplan_uuid = %(dialplan_uuid)s
