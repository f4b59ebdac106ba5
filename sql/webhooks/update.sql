-- What can be changed of a webhook. One that was disabled misses what happened meanwhile.
-- in:  webhook_uuid uuid, domain_uuid uuid, the columns
-- index: primary key
update pbxapi.webhook as w
   set url = %(url)s,
       host = %(host)s,
       event_types = %(event_types)s::text[],
       description = %(description)s,
       headers = %(headers)s::jsonb,
       position = case when %(enabled)s::text = 'true' and not w.enabled
                       then (select h.position from pbxapi.event_head as h where h.one)
                       else w.position end,
       enabled = %(enabled)s::text = 'true'
 where w.webhook_uuid = %(webhook_uuid)s and (w.domain_uuid = %(domain_uuid)s or w.domain_uuid is null)
