-- The dialplans of a domain that run FusionPBX's script for call blocks.
-- in:  domain_uuid uuid
-- out: dialplan_uuid, dialplan_context text
-- index: v_dialplans (domain_uuid)
select dialplan_uuid, coalesce(dialplan_context, '') as dialplan_context
  from v_dialplans
 where domain_uuid = %(domain_uuid)s and app_uuid = 'b1b31930-d0ee-4395-a891-04df94599f1f'
