-- A IVR menu goes; what belongs to it goes before it.
-- in:  domain_uuid uuid, ivr_menu_uuid uuid
delete from v_ivr_menus where domain_uuid = %(domain_uuid)s and ivr_menu_uuid = %(ivr_menu_uuid)s
