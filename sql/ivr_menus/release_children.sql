-- The menus below a menu that goes have no parent any more.
-- in:  domain_uuid uuid, ivr_menu_uuid uuid
-- index: v_ivr_menus (domain_uuid)
update v_ivr_menus
   set ivr_menu_parent_uuid = null,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and ivr_menu_parent_uuid = %(ivr_menu_uuid)s
