-- One user with its groups, contact, language, time zone and extensions; never its password or API key.
-- in:  domain_uuid uuid, user_uuid uuid
-- out: the columns that FusionPBX's editor lets one change, groups and extensions as lists
-- index: primary keys, v_user_groups (user_uuid), v_user_settings (user_uuid), v_contact_emails (contact_uuid),
--        v_contact_urls (contact_uuid), v_extension_users (user_uuid)
select u.user_uuid,
       coalesce(u.username, '') as username,
       coalesce(u.user_email, '') as user_email,
       coalesce(u.user_enabled::text, 'true') as user_enabled,
       coalesce(u.user_status, '') as user_status,
       coalesce(u.user_type, '') as user_type,
       coalesce((select s.user_setting_value
                   from v_user_settings as s
                  where s.user_uuid = u.user_uuid and s.domain_uuid = %(domain_uuid)s
                    and s.user_setting_category = 'domain' and s.user_setting_subcategory = 'language'
                    and s.user_setting_enabled::text = 'true'
                  order by s.user_setting_order nulls first, s.user_setting_uuid
                  limit 1), '') as user_language,
       coalesce((select s.user_setting_value
                   from v_user_settings as s
                  where s.user_uuid = u.user_uuid and s.domain_uuid = %(domain_uuid)s
                    and s.user_setting_category = 'domain' and s.user_setting_subcategory = 'time_zone'
                    and s.user_setting_enabled::text = 'true'
                  order by s.user_setting_order nulls first, s.user_setting_uuid
                  limit 1), '') as user_time_zone,
       (select coalesce(json_agg(json_build_object(
                 'group_name', coalesce(m.group_name, ''),
                 'group_description', coalesce(g.group_description, '')) order by m.group_name), '[]')
          from v_user_groups as m
          left join v_groups as g
            on g.group_uuid = m.group_uuid and (g.domain_uuid = %(domain_uuid)s or g.domain_uuid is null)
         where m.user_uuid = u.user_uuid) as groups,
       coalesce(u.contact_uuid::text, '') as contact_uuid,
       coalesce(c.contact_name_given, '') as contact_name_given,
       coalesce(c.contact_name_family, '') as contact_name_family,
       coalesce(c.contact_organization, '') as contact_organization,
       coalesce((select e.email_address
                   from v_contact_emails as e
                  where e.contact_uuid = c.contact_uuid and e.domain_uuid = %(domain_uuid)s
                  order by e.email_primary desc nulls last, e.contact_email_uuid
                  limit 1), '') as contact_email,
       coalesce((select l.url_address
                   from v_contact_urls as l
                  where l.contact_uuid = c.contact_uuid and l.domain_uuid = %(domain_uuid)s
                  order by l.url_primary desc nulls last, l.contact_url_uuid
                  limit 1), c.contact_url, '') as contact_url,
       coalesce(c.contact_nickname, '') as contact_nickname,
       (select coalesce(json_agg(json_build_object(
                 'extension_uuid', e.extension_uuid,
                 'extension', coalesce(e.extension, '')) order by e.extension), '[]')
          from v_extension_users as x
          join v_extensions as e on e.extension_uuid = x.extension_uuid and e.domain_uuid = %(domain_uuid)s
         where x.user_uuid = u.user_uuid and x.domain_uuid = %(domain_uuid)s) as extensions
  from v_users as u
  left join v_contacts as c on c.contact_uuid = u.contact_uuid and c.domain_uuid = %(domain_uuid)s
 where u.domain_uuid = %(domain_uuid)s and u.user_uuid = %(user_uuid)s
