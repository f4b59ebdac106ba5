-- The details of a dialplan go; FusionPBX leaves their domain out here and there.
-- in:  domain_uuid uuid, dialplan_uuid uuid
-- index: v_dialplan_details (dialplan_uuid)
delete from v_dialplan_details
 where dialplan_uuid = %(dialplan_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
