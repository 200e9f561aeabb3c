using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

/// <summary>Somebody at the web UI in a browser of their own: a page, and what went wrong in it.</summary>
internal sealed class Visit : IAsyncDisposable
{
    /// <summary>How long anything may take on a machine with other things to do.</summary>
    public const float Patience = 60_000;

    private readonly ConcurrentQueue<string> _complaints = new();
    private readonly ConcurrentQueue<string> _addresses = new();
    private readonly IBrowserContext _context;
    private readonly Uri _address;

    private Visit(IBrowserContext context, IPage page, Uri address)
    {
        (_context, Page, _address) = (context, page, address);
        page.Console += (_, message) => Complain(message.Type is "error" or "warning", $"{message.Type} in the console: {message.Text} ({message.Location})");
        page.PageError += (_, error) => Complain(true, $"not caught: {error}");
        // A question that nobody needs any more is given up, as is the subscription of a page that is left.
        page.RequestFailed += (_, request) => Complain(request.Failure is not "net::ERR_ABORTED", $"{request.Method} {request.Url}: {request.Failure}");
        page.Response += (_, response) => Complain(response.Status >= 400, $"{response.Request.Method} {response.Url}: {response.Status}");
        page.Request += (_, request) =>
        {
            _addresses.Enqueue(request.Url);
            Complain(!request.Url.StartsWith(address.ToString(), StringComparison.Ordinal), $"a request to another host: {request.Url}");
        };
    }

    public IPage Page { get; }

    /// <summary>What the browser had to say against the page.</summary>
    public IReadOnlyCollection<string> Complaints => _complaints;

    /// <summary>Every address that was asked for.</summary>
    public IReadOnlyCollection<string> Addresses => _addresses;

    /// <summary>Path and query of what the page shows.</summary>
    public string PathAndQuery => new Uri(Page.Url).PathAndQuery;

    public ILocator Heading => Page.GetByRole(AriaRole.Heading, new() { Level = 1 });

    public static async Task<Visit> BeginAsync(IBrowser browser, Uri address, Visitor visitor)
    {
        var context = await browser.NewContextAsync(new()
        {
            BaseURL = address.ToString(),
            Locale = visitor.Locale,
            ColorScheme = visitor.Scheme,
            ViewportSize = new() { Width = visitor.Window.Width, Height = visitor.Window.Height },
            TimezoneId = "UTC",
            // What moves while it is looked at is looked at for nothing.
            ReducedMotion = ReducedMotion.Reduce,
        });
        context.SetDefaultTimeout(Patience);
        context.SetDefaultNavigationTimeout(Patience);
        if (visitor.Token is { } token)
            await context.AddInitScriptAsync($"if (location.protocol.startsWith('http')) sessionStorage.setItem('hami-token', '{token}')");
        return new Visit(context, await context.NewPageAsync(), address);
    }

    /// <summary>Opens an address as somebody does who was sent a link, and waits until the page shows what it has.</summary>
    public async Task GoAsync(string pathAndQuery)
    {
        await Page.GotoAsync(new Uri(_address, pathAndQuery).ToString(), new() { WaitUntil = WaitUntilState.DOMContentLoaded });
        await SettleAsync();
    }

    public async Task ReloadAsync()
    {
        await Page.ReloadAsync(new() { WaitUntil = WaitUntilState.DOMContentLoaded });
        await SettleAsync();
    }

    /// <summary>Until the page has a title and awaits no answer.</summary>
    public Task SettleAsync() => UntilAsync("document.querySelector('main h1') && !document.querySelector('.mantine-Skeleton-root, .mantine-Loader-root')");

    /// <summary>Follows a link to a page of another title: the address changes before the page does, whose code may have to come first.</summary>
    public async Task FollowAsync(ILocator link, string path)
    {
        var before = await Heading.InnerTextAsync();
        await link.ClickAsync();
        await UntilAsync($"location.pathname === '{path}' && ![null, {JsonSerializer.Serialize(before)}].includes(document.querySelector('main h1')?.innerText ?? null)");
        await SettleAsync();
    }

    /// <summary>Until something holds of the page, as JavaScript says it.</summary>
    public Task UntilAsync(string expression) => WaitAsync(() => Page.WaitForFunctionAsync($"() => ({expression})", options: new() { Timeout = Patience }), expression);

    /// <summary>Until something is in sight, or no more.</summary>
    public Task UntilAsync(ILocator what, bool isInSight = true) => WaitAsync(
        () => what.First.WaitForAsync(new() { State = isInSight ? WaitForSelectorState.Visible : WaitForSelectorState.Hidden, Timeout = Patience }), $"{what}{(isInSight ? "" : " to go")}");

    /// <summary>What a JavaScript expression is in the page.</summary>
    public async Task<T> ReadAsync<T>(string expression) => JsonSerializer.Deserialize<T>(await Page.EvaluateAsync<string>($"JSON.stringify({expression})"))!;

    public void AssertNothingWentWrong() => Assert.True(_complaints.IsEmpty, $"{PathAndQuery}:\n{string.Join('\n', _complaints)}");

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();

    private async Task WaitAsync(Func<Task> wait, string what)
    {
        try
        {
            await wait();
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{PathAndQuery} was waited for in vain: {what}\n{string.Join('\n', Complaints)}\nIt shows:\n{await Page.Locator("body").InnerTextAsync()}");
        }
    }

    private void Complain(bool holds, string complaint)
    {
        if (holds)
            _complaints.Enqueue(complaint);
    }
}
