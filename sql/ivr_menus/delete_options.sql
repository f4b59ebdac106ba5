-- The options of an IVR menu go.
-- in:  domain_uuid uuid, ivr_menu_uuid uuid
-- index: v_ivr_menu_options_ivr_menu_uuid_fkey
delete from v_ivr_menu_options where domain_uuid = %(domain_uuid)s and ivr_menu_uuid = %(ivr_menu_uuid)s
