-- A webhook goes, and its deliveries with it.
-- in:  webhook_uuid uuid, domain_uuid uuid
-- index: primary key
delete from pbxapi.webhook
 where webhook_uuid = %(webhook_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
