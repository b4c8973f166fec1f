-- What the bench's own kind of work ends with: one outbox row per message, in the statement that frees the lanes.
create table bench_outbox (
  id bigint generated always as identity primary key,
  inbound_id bigint not null unique,
  lane text not null,
  body jsonb not null
);

create function bench_finish(in_lanes text[], tokens bigint[], counts int[], done bigint[], place_of int[])
returns int[] language plpgsql as $$
declare kept int[] := finish_lanes(in_lanes, tokens, counts, done);
begin
  insert into bench_outbox (inbound_id, lane, body)
  select d.id, in_lanes[d.place], '{"body": "Thank you for writing."}' from unnest(done, place_of) d (id, place) where d.place = any(kept);
  return kept;
end $$;

create function bench_finish_one(in_lane text, in_token bigint, done bigint[]) returns boolean language sql as $$
  with kept as materialized (select finish_work(in_lane, in_token, done) as ok
  ), written as (
    insert into bench_outbox (inbound_id, lane, body)
    select id, in_lane, '{"body": "Thank you for writing."}' from unnest(done) id, kept where kept.ok
  ) select ok from kept
$$;
