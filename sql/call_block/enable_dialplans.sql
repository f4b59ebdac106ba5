-- Enables the dialplans of a domain that run FusionPBX's script for call blocks, where they are not.
-- in:  domain_uuid uuid
-- out: rows touched
-- index: v_dialplans (domain_uuid)
update v_dialplans
   set dialplan_enabled = 'true', update_date = now()
 where domain_uuid = %(domain_uuid)s and app_uuid = 'b1b31930-d0ee-4395-a891-04df94599f1f'
   and dialplan_enabled::text is distinct from 'true'
