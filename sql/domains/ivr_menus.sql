-- The domain's IVR menus, whose configuration holds settings of the categories ivr_menu and recordings.
-- in:  domain_uuid uuid
-- out: ivr_menu_uuid
-- index: v_ivr_menus (domain_uuid)
select ivr_menu_uuid from v_ivr_menus where domain_uuid = %(domain_uuid)s
