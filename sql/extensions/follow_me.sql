-- Whether follow me is on, from where FusionPBX 5.6 reads it.
-- in:  domain_uuid uuid, extension_uuid uuid
-- out: follow_me_enabled "true"/"false"
select coalesce(f.follow_me_enabled::text, 'false') as follow_me_enabled
  from v_follow_me as f
  join v_extensions as e on e.follow_me_uuid = f.follow_me_uuid
 where f.domain_uuid = %(domain_uuid)s and e.domain_uuid = %(domain_uuid)s
   and e.extension_uuid = %(extension_uuid)s
