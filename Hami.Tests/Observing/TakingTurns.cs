using System.Text;
using CsCheck;
using Hami.NodeAgent.Observing;

namespace Hami.Tests.Observing;

/// <summary>Whose turn it is on a card that containers of several priorities share.</summary>
[Trait("Node", "case 48")]
public sealed class TakingTurns
{
    [Fact]
    public void The_one_of_high_priority_goes_on_and_the_other_waits_until_it_rests()
    {
        var both = new[] { On("a", 0, recent: 2), On("a", 1, recent: 2) };
        both = After(both, (1, 0), (-1, 1));
        both = After(both, (0, 0), (0, 0));
        After(both, (0, 0), (0, 0));
    }

    [Fact]
    public void While_the_one_of_high_priority_sends_work_the_other_stays_blocked()
    {
        var both = new[] { On("a", 0, recent: 2), On("a", 1, recent: 2) };
        for (var tick = 0; tick < 5; tick++)
        {
            var after = Turns.Next(both);
            Assert.Equal(new TurnWords(-1, 1), after[1]);
            both = [both[0] with { Recent = 2, Switch = after[0].Switch }, both[1] with { Recent = after[1].Recent, Switch = 1 }];
        }
    }

    [Fact]
    public void A_block_that_the_library_lifted_to_see_whether_we_live_comes_back() => After([On("a", 0, recent: 2), On("a", 1, recent: 0, @switch: 1)], (1, 0), (-1, 1));

    [Fact]
    public void Equals_are_held_to_their_shares_while_both_are_at_work() => After([On("a", 1, recent: 2), On("a", 1, recent: 2)], (1, 1), (1, 1));

    [Fact]
    public void Whoever_has_a_card_alone_is_not_held_back() => After([On("a", 1, recent: 2, @switch: 1), On("b", 1, recent: 2, @switch: 1)], (1, 0), (1, 0));

    [Fact]
    public void A_rival_on_the_last_of_four_cards_is_a_rival() => After([On("d", 0, recent: 2), On("a,b,c,d", 1, recent: 2), On("a", 1, recent: 0)], (1, 0), (-1, 1), (0, 0));

    [Fact]
    public void A_card_that_nobody_else_has_changes_nothing() => After([On("", 0, recent: 2), On("a", 1, recent: 1)], (1, 0), (0, 0));

    [Fact]
    public void A_negative_priority_blocks_nobody_and_is_not_blocked() => After([On("a", -1, recent: 2), On("a", 0, recent: 2), On("a", -1, recent: -1)], (1, 0), (1, 0), (0, 0));

    [Fact]
    public void A_word_that_says_more_than_a_launch_is_one_launch() => After([On("a", 0, recent: int.MaxValue), On("a", 1, recent: 2)], (1, 0), (-1, 1));

    [Fact]
    public void A_task_of_high_priority_whose_library_says_nothing_is_seen_by_the_driver()
    {
        After([On("a", 0, recent: 0) with { SeenAtWork = true }, On("a", 1, recent: 2)], (0, 0), (-1, 1));
        // HAMi's says nothing any more once its switch is 0.
        After([On("a", 1, recent: 0) with { SeenAtWork = true }, On("a", 1, recent: 2)], (0, 1), (1, 1));
    }

    [Fact]
    public void The_highest_at_work_on_a_card_is_never_blocked_and_nobody_stays_blocked_without_a_reason() =>
        (from containers in (from priority in Gen.Int[-1, 3]
                             from recent in Gen.Int[-3, 3]
                             from cards in Gen.Int[1, 15]
                             select new Turn(priority, recent, 1, [.. "abcd".Where((_, i) => (cards >> i & 1) == 1).Select(c => c.ToString())])).Array[1, 12]
         select containers).Sample(containers =>
        {
            var after = Turns.Next(containers);
            for (var i = 0; i < after.Length; i++)
            {
                var stronger = containers.Any(c => c.Priority >= 0 && c.Priority < containers[i].Priority && c.Recent > 1 && c.Cards.Intersect(containers[i].Cards).Any());
                if (after[i].Recent < 0 != stronger || (stronger && after[i].Switch != 1))
                    return false;
            }
            return true;
        });

    private static Turn On(string cards, int priority, int recent, int @switch = 0) => new(priority, recent, @switch, cards.Length == 0 ? [] : cards.Split(','));

    private static Turn[] After(Turn[] before, params (int Recent, int Switch)[] expected)
    {
        var after = Turns.Next(before);
        Assert.Equal(expected.Select(e => new TurnWords(e.Recent, e.Switch)), after);
        return [.. before.Zip(after, (turn, words) => turn with { Recent = words.Recent, Switch = words.Switch })];
    }
}
