using Hami.Api;

return await CommandLine.Create().Parse(args).InvokeAsync();
