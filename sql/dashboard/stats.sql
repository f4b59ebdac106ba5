-- The domain in figures.
-- in:  domain_uuid uuid, today timestamptz (the last midnight in the domain's time zone)
-- out: extensions, users, gateways, new_messages, calls_today
-- index: the (domain_uuid) indexes of each table; v_xml_cdr (domain_uuid, start_stamp desc, xml_cdr_uuid desc)
select (select count(*) from v_extensions where domain_uuid = %(domain_uuid)s) as extensions,
       (select count(*) from v_users
         where domain_uuid = %(domain_uuid)s and coalesce(user_enabled::text, 'true') = 'true') as users,
       (select count(*) from v_gateways
         where domain_uuid = %(domain_uuid)s and enabled::text = 'true') as gateways,
       (select count(*)
          from v_voicemail_messages as m
          join v_voicemails as v on v.voicemail_uuid = m.voicemail_uuid and v.domain_uuid = %(domain_uuid)s
         where m.domain_uuid = %(domain_uuid)s and coalesce(m.message_status, '') = '') as new_messages,
       (select count(*) from v_xml_cdr
         where domain_uuid = %(domain_uuid)s and start_stamp >= %(today)s::timestamptz) as calls_today
