-- What the directory entry of an extension shows besides its own columns, for its XML file.
-- in:  domain_uuid uuid, extension_uuid uuid
-- out: of its voicemail box what the entry has of it, as an object, null where there is none; its further params and
--      variables as a list; user_uuid and contact_uuid of the first user linked to it, or null
-- index: primary key
select (select json_build_object(
                 'voicemail_enabled', coalesce(v.voicemail_enabled::text, 'false'),
                 'voicemail_password', coalesce(v.voicemail_password, ''),
                 'voicemail_mail_to', coalesce(v.voicemail_mail_to, ''),
                 'voicemail_attach_file', coalesce(v.voicemail_attach_file::text, 'true'),
                 'voicemail_local_after_email', coalesce(v.voicemail_local_after_email::text, 'true'))
          from v_voicemails as v
         where v.domain_uuid = %(domain_uuid)s
           and v.voicemail_id = case when e.number_alias ~ '^[0-9]+$' then e.number_alias else e.extension end
         order by v.voicemail_uuid
         limit 1) as voicemail,
       (select coalesce(json_agg(json_build_object(
                 'extension_setting_type', s.extension_setting_type,
                 'extension_setting_name', s.extension_setting_name,
                 'extension_setting_value', coalesce(s.extension_setting_value, ''),
                 'extension_setting_enabled', s.extension_setting_enabled::text)
                 order by s.extension_setting_uuid), '[]')
          from v_extension_settings as s
         where s.domain_uuid = %(domain_uuid)s and s.extension_uuid = e.extension_uuid) as settings,
       u.user_uuid, u.contact_uuid
  from v_extensions as e
  left join lateral (
    select w.user_uuid, w.contact_uuid
      from v_extension_users as x
      join v_users as w on w.user_uuid = x.user_uuid and w.domain_uuid = %(domain_uuid)s
     where x.domain_uuid = %(domain_uuid)s and x.extension_uuid = e.extension_uuid
     order by w.username
     limit 1
  ) as u on true
 where e.domain_uuid = %(domain_uuid)s and e.extension_uuid = %(extension_uuid)s
