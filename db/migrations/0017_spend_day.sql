-- What a turn spends belongs to the day it began. A function that nothing calls any more goes.

drop function if exists spent_on(text);
comment on column quotas.level is 'Of a rate: what may still be taken; of spend:YYYY-MM-DD: US dollars spent or set aside by what began on that day, UTC.';
