-- Whether a domain has what a blocked call is to go to.
-- in:  domain_uuid uuid, app text (extension, ivr, ring_group or voicemail), number text
-- out: a row where it has
-- index: v_extensions (domain_uuid, extension), v_voicemails (domain_uuid, voicemail_id), recommended by doctor
select 1 as found from v_extensions
 where %(app)s = 'extension' and domain_uuid = %(domain_uuid)s
   and (extension = %(number)s or number_alias = %(number)s)
 union all
select 1 from v_ivr_menus
 where %(app)s = 'ivr' and domain_uuid = %(domain_uuid)s and ivr_menu_extension = %(number)s
 union all
select 1 from v_ring_groups
 where %(app)s = 'ring_group' and domain_uuid = %(domain_uuid)s and ring_group_extension = %(number)s
 union all
select 1 from v_voicemails
 where %(app)s = 'voicemail' and domain_uuid = %(domain_uuid)s and voicemail_id = %(number)s
 limit 1
