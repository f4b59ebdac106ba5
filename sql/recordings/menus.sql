-- The menus that play a file, and all menus above them: each one's document holds those below it.
-- in:  domain_uuid uuid, filename text
-- out: ivr_menu_uuid uuid
-- index: v_ivr_menus (domain_uuid)
with recursive playing as (
  select m.ivr_menu_uuid, m.ivr_menu_parent_uuid
    from v_ivr_menus as m
   where m.domain_uuid = %(domain_uuid)s
     and %(filename)s in (
           m.ivr_menu_greet_long, m.ivr_menu_greet_short, m.ivr_menu_invalid_sound, m.ivr_menu_exit_sound)
  union
  select m.ivr_menu_uuid, m.ivr_menu_parent_uuid
    from v_ivr_menus as m
    join playing as p on p.ivr_menu_parent_uuid = m.ivr_menu_uuid
   where m.domain_uuid = %(domain_uuid)s
)
select ivr_menu_uuid from playing
