-- Follow me is switched where FusionPBX 5.6 reads it; 5.5 reads the extension's own column.
-- in:  domain_uuid uuid, extension_uuid uuid, follow_me_enabled "true"/"false"
update v_follow_me
   set follow_me_enabled = %(follow_me_enabled)s, update_date = now()
 where domain_uuid = %(domain_uuid)s
   and follow_me_uuid in (select e.follow_me_uuid from v_extensions as e
                           where e.domain_uuid = %(domain_uuid)s and e.extension_uuid = %(extension_uuid)s)
