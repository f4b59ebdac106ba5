-- IVR menus of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, flags as "true"/"false"
-- index: v_ivr_menus (domain_uuid)
select m.ivr_menu_uuid,
       coalesce(m.ivr_menu_name, '') as ivr_menu_name,
       coalesce(m.ivr_menu_extension, '') as ivr_menu_extension,
       coalesce(m.ivr_menu_parent_uuid::text, '') as ivr_menu_parent_uuid,
       coalesce(m.ivr_menu_direct_dial::text, 'false') as ivr_menu_direct_dial,
       coalesce(m.ivr_menu_enabled::text, 'false') as ivr_menu_enabled,
       coalesce(m.ivr_menu_description, '') as ivr_menu_description
  from v_ivr_menus as m
 where m.domain_uuid = %(domain_uuid)s
